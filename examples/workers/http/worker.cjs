// A worker in Node.js: claims tasks over HTTP, runs them, reports how they ended.
//     npm install axios dotenv && node worker.cjs
const axios = require('axios')
require('dotenv').config({ quiet: true })

/** Says whether another attempt can help. */
class TaskError extends Error {
  constructor(message, type, retryable = false) {
    super(message)
    this.type = type
    this.retryable = retryable
  }
}

class Worker {
  constructor(config) {
    this.apiUrl = config.apiUrl
    this.apiKey = config.apiKey
    this.pollingInterval = config.pollingInterval || 5000
    this.running = false
  }

  async start() {
    console.log('Worker starting...')
    this.running = true

    while (this.running) {
      try {
        await this.poll()
      } catch (error) {
        console.error('Polling error:', error.message)
        await this.sleep(this.pollingInterval)
      }
    }
  }

  async poll() {
    const task = await this.claimTask()

    if (!task) {
      await this.sleep(this.pollingInterval)
      return
    }

    let result
    try {
      result = await this.processTask(task)
    } catch (error) {
      await this.failTask(task.id, error)
      return
    }
    await this.completeTask(task.id, result)
  }

  async claimTask() {
    try {
      const response = await axios.post(
        `${this.apiUrl}/tasks/claim`,
        { worker_id: this.getWorkerId() },
        { headers: { Authorization: `Bearer ${this.apiKey}` } },
      )
      return response.data.task
    } catch (error) {
      if (error.response?.status === 404) return null // no tasks available
      throw error
    }
  }

  async processTask(task) {
    console.log(`Processing task ${task.id}...`)
    return await this.executeTaskLogic(task)
  }

  /** Your work goes here. */
  async executeTaskLogic(task) {
    const { type, parameters } = task
    switch (type) {
      case 'add.numbers':
        return { sum: parameters.first + parameters.second }
      case 'greet.person':
        return { greeting: `Hello, ${parameters.name}!` }
      case 'call.service':
        if (task.attempt === 1) throw new TaskError('Rate limit exceeded', 'RATE_LIMIT', true)
        return { attempt: task.attempt }
      default:
        throw new Error(`Unknown task type: ${type}`)
    }
  }

  async completeTask(taskId, result) {
    await axios.post(
      `${this.apiUrl}/tasks/${encodeURIComponent(taskId)}/complete`,
      { result },
      { headers: { Authorization: `Bearer ${this.apiKey}` } },
    )
    console.log(`Task ${taskId} completed`)
  }

  async failTask(taskId, error) {
    await axios.post(
      `${this.apiUrl}/tasks/${encodeURIComponent(taskId)}/fail`,
      { error: error.message, stack: error.stack, type: error.type, retryable: error.retryable },
      { headers: { Authorization: `Bearer ${this.apiKey}` } },
    )
    console.error(`Task ${taskId} failed:`, error.message)
  }

  getWorkerId() {
    return process.env.WORKER_ID || `worker-${process.pid}`
  }

  sleep(ms) {
    return new Promise(resolve => setTimeout(resolve, ms))
  }

  stop() {
    console.log('Worker stopping...')
    this.running = false
  }
}

const worker = new Worker({
  apiUrl: process.env.API_URL,
  apiKey: process.env.API_KEY,
  pollingInterval: Number(process.env.POLLING_INTERVAL) * 1000 || 5000,
})

process.on('SIGTERM', () => worker.stop())
process.on('SIGINT', () => worker.stop())

worker.start().catch(error => {
  console.error(error)
  process.exitCode = 1
})
