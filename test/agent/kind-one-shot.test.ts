import { join } from 'node:path'
import { agentKind, describeKind } from './kind-suite.ts'

const at = (name: string) => join(import.meta.dirname, '../fixtures/kinds', name)

describeKind(
  agentKind('a one-shot program', ['--one-shot', '--', 'python3', at('one-shot.py')], {
    failure: 'task_exited',
    manyCount: 8,
  }),
)
