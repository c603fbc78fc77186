"""The runs (`run`) and their two frontends: the command line (`cli`) and Prefect."""
