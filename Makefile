# `sam build` calls build-<logical id> for every function. Functions that share a bundle cost little more than
# one: uv keeps what it has unpacked, and links it.

build-Intake build-Watch build-Totals:
	packaging/bundle.sh core "$(ARTIFACTS_DIR)"

build-TableSplit build-TableRows build-TableIndex build-TableMerge:
	packaging/bundle.sh table "$(ARTIFACTS_DIR)"

build-ImageSplit build-ImagePixels build-ImageIndex build-ImageMerge:
	packaging/bundle.sh image "$(ARTIFACTS_DIR)"

build-ImageRecognise:
	packaging/bundle.sh recognise "$(ARTIFACTS_DIR)"

build-VideoSplit build-VideoDescribe build-VideoIndex build-VideoMerge:
	packaging/bundle.sh video "$(ARTIFACTS_DIR)"

build-VideoEncode:
	packaging/bundle.sh encode "$(ARTIFACTS_DIR)"

build-VideoSpeech:
	packaging/bundle.sh speech "$(ARTIFACTS_DIR)"

.PHONY: build-Intake build-Watch build-Totals build-TableSplit build-TableRows build-TableIndex build-TableMerge
.PHONY: build-ImageSplit build-ImagePixels build-ImageIndex build-ImageMerge build-ImageRecognise
.PHONY: build-VideoSplit build-VideoDescribe build-VideoEncode build-VideoSpeech build-VideoIndex build-VideoMerge
