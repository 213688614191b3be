"""What a release is: its signed manifest, what it changed, whether it stands, where it is from."""
