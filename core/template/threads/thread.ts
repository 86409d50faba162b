import { parentPort, workerData } from 'node:worker_threads'
import type { NotificationTemplate } from '../../resources/template.ts'
import {
  type CompiledVariables,
  compileVariables,
  type ValidatedData,
} from '../../resources/template/variables.ts'
import { checkTemplate } from '../check.ts'
import { createRenderer } from '../render.ts'
import type { Answer, Batch, Progress, Task } from './protocol.ts'

/** The entry point of a thread of templates: the only place where what authors wrote is run. */

const progress = workerData as Progress
const templates = new Map<string, NotificationTemplate>()
const compiled = new WeakMap<NotificationTemplate, CompiledVariables>()
const renderer = createRenderer()

parentPort!.on('message', (batch: Batch) => {
  if (batch.forget) templates.clear()
  for (const [key, template] of batch.templates) templates.set(key, template)
  const answers = batch.tasks.map(({ template, task }, index): Answer => {
    Atomics.store(progress, 0, index)
    const startedAt = performance.now()
    try {
      const value = run(templates.get(template)!, task)
      return { ok: true, value, milliseconds: performance.now() - startedAt }
    } catch {
      return { ok: false }
    }
  })
  parentPort!.postMessage(answers)
})

function run(template: NotificationTemplate, task: Task): unknown {
  switch (task.kind) {
    case 'render':
      return renderer.render({ ...task.input, template })
    case 'validate':
      return validate(template, task.data)
    case 'check':
      return checkTemplate(template)
  }
}

function validate(template: NotificationTemplate, data: Record<string, unknown>): ValidatedData {
  const variables = compiled.get(template) ?? compileVariables(template.spec.variables ?? {})
  compiled.set(template, variables)
  if (!variables.ok) throw new Error('the catalog holds only variables that can be compiled')
  return variables.validate(data)
}
