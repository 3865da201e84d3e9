"""Where runs are recorded and networks registered: MLflow, or nowhere."""
