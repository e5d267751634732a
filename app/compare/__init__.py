"""The Compare page: runs compared with each other."""
