// Runs a Python script under MicroPython, with the project's packages importable: node micropython.mjs ROOT SCRIPT
import fs from "node:fs";
import path from "node:path";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";

const [root, script] = process.argv.slice(2);
const board = await loadMicroPython({ stdout: (line) => console.log(line), linebuffer: true });

function upload(folder) {
  board.FS.mkdir("/" + folder);
  for (const entry of fs.readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== "__pycache__") upload(name);
    else if (name.endsWith(".py")) board.FS.writeFile("/" + name, fs.readFileSync(path.join(root, name)));
  }
}

["protocol", "devices"].forEach(upload);
board.runPython("import sys; sys.path.insert(0, '/')");
board.runPython(fs.readFileSync(script, "utf8"));
