<?php
// Counts the primes below a number: reads tasks as lines of JSON and answers each with a line, for as long as there are any.
ini_set('display_errors', 'stderr'); // stdout is for answers

while (($line = fgets(STDIN)) !== false) {
    $task = json_decode($line, true);
    try {
        say(['task_id' => $task['task_id'], 'result' => count_primes($task)]);
    } catch (Throwable $error) {
        say(['task_id' => $task['task_id'], 'exception' => (string) $error]);
    }
}

function count_primes(array $task): array
{
    $below = $task['data']['below'] ?? throw new InvalidArgumentException('The task has no "below".');
    ['number' => $number, 'count' => $count] = $task['checkpoint'] ?? ['number' => 2, 'count' => 0];
    for (; $number < $below; $number++) {
        if (is_prime($number)) {
            $count++;
        }
        if ($number % 10_000 === 0) {
            $checkpoint = ['number' => $number + 1, 'count' => $count];
            say(['task_id' => $task['task_id'], 'progress' => $number / $below]);
            say(['task_id' => $task['task_id'], 'checkpoint' => $checkpoint]);
        }
    }
    return ['below' => $below, 'primes' => $count];
}

function is_prime(int $number): bool
{
    for ($divisor = 2; $divisor * $divisor <= $number; $divisor++) {
        if ($number % $divisor === 0) {
            return false;
        }
    }
    return true;
}

function say(array $answer): void
{
    fwrite(STDOUT, json_encode($answer, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE) . "\n");
}
