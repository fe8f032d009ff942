import { join } from 'node:path'
import { agentKind, describeKind } from './kind-suite.ts'

const at = (name: string) => join(import.meta.dirname, '../fixtures/kinds', name)

describeKind(agentKind('a TypeScript module', [at('module.ts')]))
