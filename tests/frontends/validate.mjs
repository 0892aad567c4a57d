// Whether messages are UI messages to the AI SDK.
const { module, messages } = JSON.parse(process.argv[2]);
const ai = await import(module);
const { success, error } = await ai.safeValidateUIMessages({ messages });
console.log(JSON.stringify({ success, ...(error && { error: error.message }) }));
process.exit(0);
