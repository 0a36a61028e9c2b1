"""YAMNet: a MobileNetV1 that AudioSet trained, as an encoder."""
