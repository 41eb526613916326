"""CTsGANEnhance as a MONAI Deploy application: a folder with a CT series in, a derived series out."""
