"""The XDM Portable Media Creator and Portable Media Importer: records carried as files. ITI TF-1: 16."""
