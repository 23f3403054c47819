"""What the tests of the commands share with those of the packages behind them."""

from tests.bundle.conftest import *  # noqa: F403
from tests.export.conftest import *  # noqa: F403
from tests.service.conftest import *  # noqa: F403
