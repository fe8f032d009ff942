"""A worker in Python: claims tasks over HTTP, runs them, reports how they ended.

    pip install requests python-dotenv && python3 worker.py

Without these packages it makes do with the standard library (plain_requests.py).
"""

import os
import signal
import time
import traceback
from urllib.parse import quote

try:
    import requests
    from dotenv import load_dotenv
except ImportError:
    import plain_requests as requests
    from plain_requests import load_dotenv


class TaskError(Exception):
    """Says whether another attempt can help."""

    def __init__(self, message, type, retryable=False):
        super().__init__(message)
        self.type = type
        self.retryable = retryable


class Worker:
    def __init__(self, config):
        self.api_url = config['api_url']
        self.api_key = config['api_key']
        self.polling_interval = config.get('polling_interval', 5)
        self.running = False
        self.session = requests.Session()
        self.session.headers.update({
            'Authorization': f"Bearer {self.api_key}",
            'Content-Type': 'application/json'
        })

    def start(self):
        print("Worker starting...", flush=True)
        self.running = True

        while self.running:
            try:
                self.poll()
            except Exception as e:
                print(f"Polling error: {e}", flush=True)
                time.sleep(self.polling_interval)

    def poll(self):
        task = self.claim_task()

        if not task:
            time.sleep(self.polling_interval)
            return

        try:
            result = self.process_task(task)
        except Exception as e:
            self.fail_task(task['id'], e)
            return
        self.complete_task(task['id'], result)

    def claim_task(self):
        try:
            response = self.session.post(
                f"{self.api_url}/tasks/claim",
                json={'worker_id': self.get_worker_id()}
            )
            response.raise_for_status()
            return response.json().get('task')
        except requests.HTTPError as e:
            if e.response.status_code == 404:
                return None  # No tasks available
            raise

    def process_task(self, task):
        print(f"Processing task {task['id']}...", flush=True)
        return self.execute_task_logic(task)

    def execute_task_logic(self, task):
        """Your work goes here."""
        task_type = task['type']
        parameters = task['parameters']

        if task_type == 'add.numbers':
            return {'sum': parameters['first'] + parameters['second']}
        elif task_type == 'greet.person':
            return {'greeting': f"Hello, {parameters['name']}!"}
        elif task_type == 'call.service':
            if task['attempt'] == 1:
                raise TaskError('Rate limit exceeded', 'RATE_LIMIT', True)
            return {'attempt': task['attempt']}
        else:
            raise ValueError(f"Unknown task type: {task_type}")

    def complete_task(self, task_id, result):
        response = self.session.post(
            f"{self.api_url}/tasks/{quote(task_id, safe='')}/complete",
            json={'result': result}
        )
        response.raise_for_status()
        print(f"Task {task_id} completed", flush=True)

    def fail_task(self, task_id, error):
        body = {
            'error': str(error),
            'traceback': traceback.format_exc()
        }
        if isinstance(error, TaskError):
            body.update(type=error.type, retryable=error.retryable)
        response = self.session.post(
            f"{self.api_url}/tasks/{quote(task_id, safe='')}/fail",
            json=body
        )
        response.raise_for_status()
        print(f"Task {task_id} failed: {error}", flush=True)

    def get_worker_id(self):
        return os.getenv('WORKER_ID', f'worker-{os.getpid()}')

    def stop(self):
        print("Worker stopping...", flush=True)
        self.running = False


def signal_handler(signum, frame):
    worker.stop()


if __name__ == '__main__':
    load_dotenv()
    worker = Worker({
        'api_url': os.getenv('API_URL'),
        'api_key': os.getenv('API_KEY'),
        'polling_interval': float(os.getenv('POLLING_INTERVAL', 5))
    })
    signal.signal(signal.SIGTERM, signal_handler)
    signal.signal(signal.SIGINT, signal_handler)
    worker.start()
