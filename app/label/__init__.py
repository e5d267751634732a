"""The Label page: label selected images one at a time or as a grid."""
