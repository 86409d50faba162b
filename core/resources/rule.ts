import { z } from 'zod'

/**
 * A validation rule in both of the languages it is checked in: CEL, which the Kubernetes API server runs at admission, and a
 * function, which checks folder manifests and API requests. They stand side by side because they must say the same.
 */
export interface Rule<T> {
  /** An expression over `self`, as `x-kubernetes-validations[].rule`. */
  cel: string
  /** Shown to the author in both worlds. One line, starts in lower case. */
  message: string
  holds: (value: T) => boolean
  /** The property at fault, when the rule is one of an object. */
  field?: string
}

/** A rule on a change: what a new value may be, given the old one. */
export interface ChangeRule<T> {
  /** An expression over `self` and `oldSelf`. */
  cel: string
  message: string
  allows: (before: T, after: T) => boolean
}

export interface CelRule {
  rule: string
  message: string
  fieldPath?: string
}

const changeRules = z.registry<{ rules: ChangeRule<never>[] }>()
const celKey = 'x-kubernetes-validations'

/** The CEL half of the rules attached to this very schema (not those inside it). */
function celRules(schema: z.ZodType): CelRule[] {
  return (schema.meta()?.[celKey] as CelRule[] | undefined) ?? []
}

/** The change rules attached to this very schema. */
export function changeRulesOf(schema: z.ZodType): ChangeRule<unknown>[] {
  return (changeRules.get(schema)?.rules ?? []) as ChangeRule<unknown>[]
}

/** Attaches rules to a schema. They run once the value has the right structure, as at the Kubernetes API server. */
export function withRules<S extends z.ZodType>(schema: S, rules: readonly Rule<z.output<S>>[]): S {
  const checked = schema.superRefine((value, context) => {
    for (const rule of rules) {
      if (rule.holds(value)) continue
      context.addIssue({
        code: 'custom',
        message: rule.message,
        path: rule.field === undefined ? [] : [rule.field],
      })
    }
  })
  const cel = rules.map((rule) => ({
    rule: rule.cel,
    message: rule.message,
    ...(rule.field !== undefined && { fieldPath: `.${rule.field}` }),
  }))
  return checked.meta({ ...schema.meta(), [celKey]: [...celRules(schema), ...cel] })
}

/** Attaches a rule on changes, which `changeProblems` checks outside Kubernetes. */
export function withChangeRule<S extends z.ZodType>(schema: S, rule: ChangeRule<z.output<S>>): S {
  const changed = schema.meta({
    ...schema.meta(),
    [celKey]: [...celRules(schema), { rule: rule.cel, message: rule.message }],
  })
  changeRules.add(changed, { rules: [...(changeRules.get(schema)?.rules ?? []), rule] })
  return changed
}
