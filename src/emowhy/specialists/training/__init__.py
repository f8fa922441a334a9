"""Train a specialist: recipe -> rows -> network -> int8 ONNX -> calibration -> card. `emowhy specialists train`."""
