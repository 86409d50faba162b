import type { NotificationTemplate } from '../../resources/template.ts'
import type { RenderInput } from '../render.ts'

/** What a thread can be asked. What it answers is plain data, so that it can be copied between threads. */
export type Task =
  /** Answers Rendered. */
  | { kind: 'render'; input: Omit<RenderInput, 'template'> }
  /** Whether the data fit the template's `variables`: answers ValidatedData. */
  | { kind: 'validate'; data: Record<string, unknown> }
  /** Answers the TemplateProblems of a template and its samples. */
  | { kind: 'check' }

/** Tasks that are sent together: a message costs the sender more than a small task costs the thread. */
export interface Batch {
  /** Whether to forget the templates of earlier batches. */
  forget: boolean
  /** Templates that the tasks name and that the thread does not have yet. */
  templates: Map<string, NotificationTemplate>
  tasks: { template: string; task: Task }[]
}

/** One for each task, in order. */
export type Answer =
  | { ok: true; value: unknown; milliseconds: number }
  /** The thread has a defect: it threw where it should have answered. */
  | { ok: false }

/**
 * Shared memory of a thread and who started it: the index of the task it is at, so that the guilty one is known when the
 * thread has to be ended or dies.
 */
export type Progress = Int32Array<SharedArrayBuffer>

/** {@link Progress} before the first task of a batch. */
export const notStarted = -1
