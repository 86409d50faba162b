import { createRenderer } from '../../../core/template/render.ts'
import type { TemplateThreads } from '../../../core/template/threads/template-threads.ts'

/** Renders without threads: for tests with harmless templates, and for those whose time is not real. */
export function renderOnLoop(): Pick<TemplateThreads, 'render'> {
  const renderer = createRenderer()
  return { render: async (input) => renderer.render(input) }
}
