"""llmzip: a learned lossless compressor."""
