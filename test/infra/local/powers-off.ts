// A program for a local VM: powers it off from inside.
import { openProvider } from '../../../infra/local/index.ts'

await openProvider({ env: process.env }).openInstance().powerOff()
