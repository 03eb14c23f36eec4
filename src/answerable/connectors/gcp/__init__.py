"""Google Cloud connector: reads output of gcloud and the live API."""
