// A subclass: tasks by type, middleware around all of them, and cleaning up at the end.
import { Worker } from 'cloud-tasks'

interface Shape {
  readonly side: number
}

class ShapeWorker extends Worker {
  /** Whatever has no route of its own. */
  override async processTask(taskId: string, { side }: Shape) {
    return { taskId, area: side * side }
  }

  override async shutdown() {
    await super.shutdown()
    console.log(`${this.getStatus().tasksProcessed} shapes`)
  }
}

if (import.meta.main) {
  const shapes = [
    { task_id: 'square', data: { side: 2 } },
    { task_id: 'cube', type: 'solid', data: { side: 2 } },
    { task_id: 'odd', data: { side: -1 } },
  ]
  await new ShapeWorker({ taskSource: shapes, onError: (taskId, error) => console.log(`${taskId}: ${error.message}`) })
    .use(async (task, next) => {
      if ((task.taskData as Shape).side < 0) throw new RangeError('a side must not be negative')
      return next()
    })
    .route('solid', (taskId, { side }: Shape) => ({ taskId, volume: side ** 3 }))
    .run()
}
