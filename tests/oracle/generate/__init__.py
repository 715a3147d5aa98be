"""What PyTorch computes for small BERTs, written as safetensors for the C++ tests."""
