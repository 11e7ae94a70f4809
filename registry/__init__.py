"""The XDS.b Document Registry: one transaction a file, over one store. ITI TF-1: 10.1.1.3."""
