# A task without any work: what remains is the system's own cost.
def process_task(task_id, task_data, worker):
    return False, None
