import { z } from 'zod'
import { channelTypes } from './channel-type.ts'
import { statusFields } from './condition.ts'
import { anyObject, label, listBy, map, resourceSchema } from './resource.ts'
import { withRules } from './rule.ts'
import { content, partialContent } from './template/content.ts'
import { variablesProblems } from './template/variables.ts'

const maxLocales = 50

// BCP 47 in the form that templates use: a language, then script, region or variant.
const localePattern = /^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$/
const locale = () => z.string().max(35).regex(localePattern, 'must be a language tag such as en or pt-BR')

const variables = anyObject().superRefine((schema, context) => {
  for (const { path, message } of variablesProblems(schema))
    context.addIssue({ code: 'custom', message, path })
})

const locales = withRules(
  map(partialContent().describe('What differs in this locale, by channel type.'), maxLocales),
  [
    {
      cel: `self.all(locale, locale.matches('${localePattern.source}'))`,
      message: 'must have language tags such as en or pt-BR as keys',
      holds: (value) => Object.keys(value).every((key) => localePattern.test(key)),
    },
  ],
)

const sample = z.strictObject({
  name: label().describe('Name of the sample, unique in the template.'),
  locale: locale().optional().describe('Locale to render in; defaultLocale when absent.'),
  data: anyObject().default({}).describe('The data that a request would carry.'),
  expect: partialContent()
    .optional()
    .describe('Rendered text that the sample must give, exactly; what is left out may be anything.'),
})

const spec = z.strictObject({
  category: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe('What kind of message this is to its reader. Readers choose their channels per category.'),
  critical: z.boolean().default(false).describe('Sent in spite of opt-outs and quiet hours.'),
  defaultLocale: locale()
    .default('en')
    .describe('Locale of content, and what a reader gets whose locale has no text.'),
  variables: variables
    .optional()
    .describe(
      'JSON Schema 2020-12 of the data that a request carries; defaults are filled in. At most 32 KB. Any data is taken when absent.',
    ),
  content,
  locales: locales
    .default({})
    .describe('Translations, by locale. What a locale leaves out comes from content.'),
  samples: listBy(sample.describe('One sample.'), 'name', 20)
    .default([])
    .describe(
      'Examples, rendered whenever the template is read. A template whose sample fails does not serve.',
    ),
})

const checkedSpec = withRules(spec, [
  {
    cel: '!(self.defaultLocale in self.locales)',
    message: 'must not contain defaultLocale: its text is content',
    holds: (value) => !Object.hasOwn(value.locales, value.defaultLocale),
    field: 'locales',
  },
  {
    cel: channelTypes
      .map((type) => `(has(self.content.${type}) || self.locales.all(l, !has(self.locales[l].${type})))`)
      .join(' && '),
    message: 'may only translate channel types that content has',
    holds: (value) =>
      channelTypes.every(
        (type) =>
          value.content[type] !== undefined ||
          Object.values(value.locales).every((translation) => translation[type] === undefined),
      ),
    field: 'locales',
  },
]).describe('What a notification says on every channel type and in every language.')

const status = z
  .object({
    ...statusFields,
    revision: z.string().max(63).optional().describe('The revision that serves, as generation and hash.'),
    locales: z
      .array(z.string().max(35))
      .max(maxLocales + 1)
      .optional()
      .describe('Locales that have text.'),
    channels: z
      .array(z.enum(channelTypes))
      .max(channelTypes.length)
      .optional()
      .describe('Channel types that have content.'),
  })
  .describe('What the operator observed. Written by the operator alone.')

/** The schema of NotificationTemplate. */
export const templateSchema = resourceSchema('NotificationTemplate', checkedSpec, status).describe(
  'What a notification says: a text per channel type, its variables, its translations and samples that prove it.',
)

export type NotificationTemplate = z.output<typeof templateSchema>
export type NotificationTemplateInput = z.input<typeof templateSchema>
export type NotificationTemplateSpec = NotificationTemplate['spec']
export type NotificationTemplateStatus = z.output<typeof status>
