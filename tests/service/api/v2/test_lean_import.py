"""Who does not ask for gRPC does not pay for it."""

import subprocess
import sys


def test_the_service_does_not_import_grpc() -> None:
    program = "import sys, service.app; print({'grpc', 'tritonclient'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert result.stdout.strip() == b"set()"
