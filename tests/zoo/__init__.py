"""What PyTorch does with a module, done with converted ones: models x export forms x columns.

    tools/zoo                        # whatever has no result yet, of all models
    tools/zoo bert gpt2 --columns export,onnx

`models.py` has one line a model, `columns/` what is tried; RESULTS.md what came out.
"""
