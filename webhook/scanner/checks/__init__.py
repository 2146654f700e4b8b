"""The seven checks: pure, one file each; config, files and observation in, one Check out."""
