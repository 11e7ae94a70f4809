"""The XDS.b Document Repository: documents kept byte for byte, one transaction a file. ITI TF-1: 10.1.1.4."""
