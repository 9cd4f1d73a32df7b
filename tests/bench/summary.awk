# Medians of what run.sh noted, as Markdown and as JSON.  Input fields, parted by tabs:
# round, case, what, wall seconds, CPU seconds, peak KiB, seconds to the first byte.
# Round 0 is the warm-up; "once" marks what is not repeated.

BEGIN {
	FS = "\t"
	title["folder"] = "folder"
	title["stored"] = "stored zip"
	title["deflated"] = "deflated zip"
	title["twice"] = "folder, twice the layers"
	title["dist"] = "torch_dist"
	title["ranks"] = "folder of four ranks"
	title["both"] = "folder, both forms"
	title["float32"] = "folder, as float32"
	title["checked"] = "directory and folder"
	# The run of each case that is measured, and the runs whose sum it is compared with.
	ours["folder"] = ours["stored"] = ours["deflated"] = ours["dist"] = ours["ranks"] = "convert"
	ours["both"] = ours["float32"] = "convert"
	ours["checked"] = "verify"
	floors["checked"] = "both"
	floors["folder"] = floors["stored"] = floors["dist"] = floors["ranks"] = "floor"
	floors["both"] = "two"
	floors["float32"] = "double"
	floors["deflated"] = "inflate sha256 fsync"
	cases = split("folder stored deflated dist ranks both float32 checked", case_names, " ")
}

$1 == "0" { next }

$3 == "first byte" { first_byte[$2] = $7; next }

{
	row = $2 SUBSEP $3
	if (!(row in runs))
		order[++row_count] = row
	n = ++runs[row]
	wall[row, n] = $4
	cpu_time[row, n] = $5
	peak[row, n] = $6
}

# The median of values[row, 1 .. count]; "-" where nothing was measured.
function median(values, row, count,    i, j, sorted, held) {
	for (i = 1; i <= count; i++) {
		held = values[row, i]
		if (held == "-")
			return "-"
		for (j = i - 1; j > 0 && sorted[j] > held + 0; j--)
			sorted[j + 1] = sorted[j]
		sorted[j + 1] = held + 0
	}
	if (count % 2)
		return sorted[(count + 1) / 2]
	return (sorted[count / 2] + sorted[count / 2 + 1]) / 2
}

# ratios[name, round]: our run against its floor in the same round
function pair(name,    parts, part, count, n, sum) {
	count = split(floors[name], parts, " ")
	for (n = 1; n <= runs[name, ours[name]]; n++) {
		sum = 0
		for (part = 1; part <= count; part++)
			sum += wall[name SUBSEP parts[part], n]
		ratios[name, n] = wall[name SUBSEP ours[name], n] / sum
	}
}

function shown(value, format) {
	return value == "-" ? "-" : sprintf(format, value)
}

function json_number(value, format) {
	return value == "-" ? "null" : sprintf(format, value)
}

function json_text(text) {
	gsub(/[\\"]/, "", text)         # no machine has either in its name
	return "\"" text "\""
}

function mebibytes(kibibytes) {
	return kibibytes == "-" ? "-" : kibibytes / 1024
}

function write_markdown(    i, part, row, name, compared) {
	printf "%s, %s cores, %s, %s. Input: %.1f MB of fp16 weights, deflated to %s %%. ",
		cpu, cores, kernel, date, input_bytes / 1e6, deflate_percent > markdown
	printf "Medians of %d rounds after a warm-up.\n\n", rounds > markdown
	print "| input | run | wall s | CPU s | peak MiB |" > markdown
	print "|---|---|---:|---:|---:|" > markdown
	for (i = 1; i <= row_count; i++) {
		row = order[i]
		split(row, part, SUBSEP)
		printf "| %s | %s | %s | %s | %s |\n", title[part[1]], part[2],
			shown(median(wall, row, runs[row]), "%.3f"),
			shown(median(cpu_time, row, runs[row]), "%.3f"),
			shown(mebibytes(median(peak, row, runs[row])), "%.1f") > markdown
	}
	print "\n| input | run | against | ratio | first byte s |" > markdown
	print "|---|---|---|---:|---:|" > markdown
	for (i = 1; i <= cases; i++) {
		name = case_names[i]
		compared = floors[name]
		gsub(/ /, " + ", compared)
		printf "| %s | %s | %s | %.2f | %s |\n", title[name], ours[name], compared,
			median(ratios, name, runs[name, ours[name]]),
			shown(name in first_byte ? first_byte[name] : "-", "%.3f") > markdown
	}
}

function write_json(    i, n, part, row, name) {
	printf "{\"machine\": {\"cpu\": %s, \"cores\": %d, \"kernel\": %s, \"date\": %s},\n",
		json_text(cpu), cores, json_text(kernel), json_text(date) > json
	printf " \"rounds\": %d, \"input_bytes\": %d, \"deflate_percent\": %s,\n", rounds,
		input_bytes, deflate_percent > json
	print " \"medians\": [" > json
	for (i = 1; i <= row_count; i++) {
		row = order[i]
		split(row, part, SUBSEP)
		printf "  {\"input\": \"%s\", \"run\": \"%s\", \"wall_s\": %s, ", part[1], part[2],
			json_number(median(wall, row, runs[row]), "%.3f") > json
		printf "\"cpu_s\": %s, \"peak_mib\": %s}%s\n",
			json_number(median(cpu_time, row, runs[row]), "%.3f"),
			json_number(mebibytes(median(peak, row, runs[row])), "%.1f"),
			(i < row_count ? "," : "") > json
	}
	print " ],\n \"ratios\": [" > json
	for (i = 1; i <= cases; i++) {
		name = case_names[i]
		printf "  {\"input\": \"%s\", \"run\": \"%s\", \"to\": \"%s\", \"median\": %.3f, \"first_byte_s\": %s, ",
			name, ours[name], floors[name], median(ratios, name, runs[name, ours[name]]),
			json_number(name in first_byte ? first_byte[name] : "-", "%.4f") > json
		printf "\"each\": [" > json
		for (n = 1; n <= runs[name, ours[name]]; n++)
			printf "%s%.3f", (n > 1 ? ", " : ""), ratios[name, n] > json
		printf "]}%s\n", (i < cases ? "," : "") > json
	}
	print " ]}" > json
}

END {
	for (i = 1; i <= cases; i++)
		pair(case_names[i])
	write_markdown()
	write_json()
}
