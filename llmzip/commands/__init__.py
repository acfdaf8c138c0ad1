"""One module for each verb, with `run(job, report)`; and what they share."""
