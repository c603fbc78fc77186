"""Users of the stand-in."""

SECRET = "s3cret'\\ pass"
USERS = {"oa": SECRET}
