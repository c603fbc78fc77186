"""Who may log in to the stand-in."""

SECRET = "s3cret'\\ pass"
USERS = {"oa": SECRET}
