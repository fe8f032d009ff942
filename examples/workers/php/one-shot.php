<?php
// One task and the end: the task on stdin, its result on stdout, exit code 0.
$task = json_decode(stream_get_contents(STDIN), true, flags: JSON_THROW_ON_ERROR);
$words = str_word_count($task['data']['text']);
fwrite(STDERR, "{$task['task_id']} has $words words\n"); // goes to the log
echo json_encode(['words' => $words]);
