"""The site that visitors and harvesters see, built whole from releases."""
