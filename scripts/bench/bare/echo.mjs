// The least that a task process can be: a line in, a line out, many lines a write.
let rest = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', chunk => {
  const lines = (rest + chunk).split('\n')
  rest = lines.pop() ?? ''
  let answer = ''
  for (const line of lines) answer += `${JSON.stringify({ task_id: JSON.parse(line).task_id, result: null })}\n`
  if (answer !== '') process.stdout.write(answer)
})
