// Prints which token and project a process finds for itself, or why it finds none.
import { messageOf } from '../../../core/errors.ts'
import { GcpConnection } from '../../../infra/gcp/connection.ts'
import { gcpFailure } from '../../../infra/gcp/failure.ts'

const connection = new GcpConnection({ env: process.env })
const token = await connection
  .accessToken('https://compute.googleapis.com')
  .catch(error => messageOf(gcpFailure(error, { doing: 'asking' })))
const projectId = await connection.projectId().catch(messageOf)
console.log(JSON.stringify({ token, projectId }))
process.exit(0)
