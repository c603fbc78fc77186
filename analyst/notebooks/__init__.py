"""The notebooks of a day: copies of templates, which analysts then edit as they like.

A template is `<pipeline>/<Name>_master.py` in jupytext's percent format, or an `.ipynb`, next to
this module or in `SPOT_OA_TEMPLATES_DIR`. docs/notebooks.md is for those who work in the copies,
docs/adding-a-notebook.md for those who write templates.

`copies` makes and lists the copies of a day; `places` finds them without loading jupytext or
nbformat.
"""
