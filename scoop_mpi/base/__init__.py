"""The words that all rooms share: messages, errors, settings; whose code runs."""
