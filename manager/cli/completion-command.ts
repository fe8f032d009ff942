// completion: prints the script that a shell reads to complete our commands and options.
import { UserError } from '../../core/errors.ts'
import type { Invocation } from './invocation.ts'
import { renderCompletion } from './render-completion.ts'

export async function completionCommand({ options, terminal }: Invocation): Promise<number> {
  const shell = options.text('shell')
  if (shell !== 'bash' && shell !== 'zsh' && shell !== 'fish') {
    throw new UserError('For which shell? cloud-tasks completion bash, zsh or fish.', { exitCode: 2 })
  }
  terminal.print(renderCompletion(shell))
  return 0
}
