"""The runs (`run`), and the two shells around them: the command line (`cli`) and Prefect."""
