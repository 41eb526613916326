"""What jobs consist of; each module's ``run`` (folder of the job, request, progress) gives what was found out."""
