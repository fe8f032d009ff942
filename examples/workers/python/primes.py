"""Counts the primes below a number. Any function will do: it needs nothing from Cloud Tasks."""


def process_task(task_id, task_data, worker):
    below = task_data["below"]
    start = worker.checkpoint or {"number": 2, "count": 0}  # where an interrupted attempt has left off
    count = start["count"]
    for number in range(start["number"], below):
        if is_prime(number):
            count += 1
        if number % 10_000 == 0:
            worker.progress(number / below)
            worker.save_checkpoint({"number": number + 1, "count": count})
    return False, {"below": below, "primes": count}  # False: do not run it again


def is_prime(number):
    return all(number % divisor for divisor in range(2, int(number**0.5) + 1))
