"""The Explore page: filter, search and edit images on a map and in a grid."""
