"""Names of the files of a bundle."""

MANIFEST = "manifest.json"
MANIFEST_SUM = "manifest.sha256"
PREDICT = "predict.onnx"
PREDICT_WEIGHTS = "predict.safetensors"
OBSERVE = "observe.onnx"
COMPENSATE = "compensate.onnx"
BASE = "base.safetensors"
CANARY = "canary.npz"

REQUIRED = (PREDICT, PREDICT_WEIGHTS, OBSERVE, COMPENSATE, BASE)
OPTIONAL = (CANARY,)

# Keys of the moments in BASE; every other key there is an initializer of OBSERVE.
TARGET_MEAN = "target.mean"
TARGET_VARIANCE = "target.variance"
SOURCE_MEAN = "source.mean"
SOURCE_VARIANCE = "source.variance"
