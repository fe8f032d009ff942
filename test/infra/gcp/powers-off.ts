// A program for a pretended Compute Engine VM: ends it from inside.
import { GcpInstance } from '../../../infra/gcp/instance.ts'

await new GcpInstance({ env: process.env }).powerOff()
