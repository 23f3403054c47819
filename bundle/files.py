"""Names of the files of a bundle."""

MANIFEST = "manifest.json"
MANIFEST_SUM = "manifest.sha256"
SIGNATURE = "manifest.sig"
PREDICT = "predict.onnx"
PREDICT_WEIGHTS = "predict.safetensors"
OBSERVE = "observe.onnx"
COMPENSATE = "compensate.onnx"
BASE = "base.safetensors"
SAMPLE_IMAGES = "canary.npz"
PREDICT_FP16 = "predict.fp16.onnx"
PREDICT_INT8 = "predict.int8.onnx"

REQUIRED = (PREDICT, PREDICT_WEIGHTS, OBSERVE, COMPENSATE, BASE)
OPTIONAL = (SAMPLE_IMAGES, PREDICT_FP16, PREDICT_INT8)

# Variants of predict.onnx by precision; each file embeds its arrays.
VARIANTS = {"float16": PREDICT_FP16, "int8": PREDICT_INT8}

# Keys of the moments in BASE. Its other keys are initializers of OBSERVE and unfolded arrays.
TARGET_MEAN = "target.mean"
TARGET_VARIANCE = "target.variance"
SOURCE_MEAN = "source.mean"
SOURCE_VARIANCE = "source.variance"
