import type { CatalogEntry } from '../../core/catalog/catalog.ts'
import type { NotificationTemplate } from '../../core/resources/template.ts'
import { compileVariables, type ValidatedData } from '../../core/resources/template/variables.ts'
import { dataSize, schemaSize } from '../../core/resources/template/variables-cost.ts'
import type { Busy, TemplateThreads } from '../../core/template/threads/template-threads.ts'

/** Checks data against the `variables` of a template, and fills defaults in. */
export type CheckData = (
  template: CatalogEntry<NotificationTemplate>,
  data: Record<string, unknown>,
) => Promise<ValidatedData | Busy>

/** Larger schemas are not even compiled here (measured: 0.2 ms for each of their values). */
const maxSchema = 200
/** Size of the schema times that of the data (measured: at most 25 ns each, so 2.5 ms). */
const maxWork = 100_000

interface Check {
  schemaSize: number
  validate?: (data: Record<string, unknown>) => ValidatedData
}

/**
 * What is provably cheap, as nearly everything is, is checked at once; the rest in a thread that can be ended, because with a schema and
 * data of the sizes that are allowed one check can take 11 s.
 */
export function createCheckData(threads: Pick<TemplateThreads, 'validate'>): CheckData {
  /** By template and revision: the catalog replaces the object when the template changes. */
  const checks = new WeakMap<NotificationTemplate, Check>()

  return async ({ resource, revision }, data) => {
    const { variables } = resource.spec
    if (variables === undefined) return { ok: true, data }
    const check = checks.get(resource) ?? { schemaSize: schemaSize(variables) }
    checks.set(resource, check)
    const most = maxWork / check.schemaSize
    if (check.schemaSize > maxSchema || dataSize(data, most) > most)
      return threads.validate(resource, revision, data)
    check.validate ??= compile(resource)
    return check.validate(data)
  }
}

function compile({ metadata, spec }: NotificationTemplate): NonNullable<Check['validate']> {
  const compiled = compileVariables(spec.variables ?? {})
  if (!compiled.ok) throw new Error(`variables of template ${metadata.name} cannot be compiled`)
  return compiled.validate
}
